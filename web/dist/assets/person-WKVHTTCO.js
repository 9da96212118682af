import{j as a,k as b}from"./chunk-V3KJWWHV.js";import"./chunk-4ZXGXIYY.js";import"./chunk-VBLMAITK.js";import"./chunk-2XVY3GMU.js";export{a as PersonOfRoom,b as PersonPanel};
